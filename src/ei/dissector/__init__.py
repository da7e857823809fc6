"""What is in a capture: every field of our datagrams by the name that Wireshark's filters use.

`fields` names the fields of one datagram, `capture` reads capture files, and `ei.lua`
teaches Wireshark the same. The two decoders share no code, and a test compares them.
"""
