"""What Sphinx is told: read by it, and by nothing else."""

project = "DigitalOcean Kubernetes with GitOps"
extensions = ["myst_parser"]
myst_heading_anchors = 4
smartquotes = False  # options begin with two hyphens
html_theme = "furo"
html_title = project
html_static_path = ["static"]
html_css_files = ["site.css"]
html_copy_source = False
html_use_index = False
html_show_sphinx = False
