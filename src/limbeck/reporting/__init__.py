"""One self-contained, offline `report.html`, drawn from `record.json` and the files it names, and from nothing else.

`render.render` gives the page, `render.write` puts it into the run's folder. Each section is one module that turns
the record into plain values for one template; nothing here measures.
"""
