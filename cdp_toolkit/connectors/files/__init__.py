"""Files: exports of any system to read, audiences to write."""
