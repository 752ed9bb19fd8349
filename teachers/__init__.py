"""Teachers: the catalogue is `teachers.configs`; each network has a file of its own."""
