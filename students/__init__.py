"""Students: the catalogue is `students.configs`; each network has a file of its own."""
