module tools/probe

go 1.26
