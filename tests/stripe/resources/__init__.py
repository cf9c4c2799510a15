"""What each call does: functions of the state, the parameters and, where one is in the path, an id."""
