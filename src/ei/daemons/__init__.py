"""What every daemon of ours has: a configuration file, an admin socket, a log, a supervisor."""
