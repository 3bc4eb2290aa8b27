"""The owner of the routes: which model version serves each project, and how a new one is let in."""
