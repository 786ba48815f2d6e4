"""Runs a command on a terminal that shows nothing (as after Ctrl-S), and copies the command's standard error to standard
output. The command ends with this process."""

import os
import pty
import signal
import sys
import termios

read_end, write_end = os.pipe()
pid, terminal = pty.fork()
if pid == 0:
    os.dup2(write_end, 2)
    # The command starts when the terminal has stopped.
    termios.tcflow(1, termios.TCOOFF)
    os.execvp(sys.argv[1], sys.argv[1:])
os.close(write_end)
errors = b""
while not errors.rstrip().endswith(b"}"):
    chunk = os.read(read_end, 65536)
    if not chunk:
        break
    errors += chunk
os.write(1, errors)
signal.pause()
