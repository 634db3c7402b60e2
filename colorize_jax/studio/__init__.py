"""The studio: colour versions of a photo, and edits that follow the brush, in a browser on this machine.

    colorize-studio

`live` holds a photo open for editing and does all mathematics, `sessions` bounds how many are open, `protocol` reads
and writes messages, `server` speaks HTTP and WebSockets, `page` is what the browser loads: plain ES modules, no build.

**Who does what.** The page owns the edits, as a document of `colorize_jax.control.document`, and with them undo and
redo. At each change it sends the whole document, and gets the 32x32 fields of all versions back. It lifts the chosen
one to the preview by itself, with `upsample`'s weights, so that the answer has kilobytes and the brush does not wait.
The server keeps no edits: an answer depends on the photo and the message alone. What is downloaded is computed anew at
full size.
"""
