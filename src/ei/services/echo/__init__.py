"""Echo: every packet goes back on the pipe that it came by."""
