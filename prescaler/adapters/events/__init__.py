"""Sources of planned events: calendars and tables, from files and from the net."""
