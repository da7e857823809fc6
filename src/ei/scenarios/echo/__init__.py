"""Echo: packets come back by the pipe that they went by."""
