"""Tests of the project's workflows, run by real `act`."""
