"""The user study: which of two colour versions looks more realistic, asked in a browser on this machine.

    colorize-studio --study=FOLDER

It has the studio's server rules and page style, and no model: `study` finds the pairs and draws a rater's, `votes`
keeps the votes, `tally` counts them, `server` speaks HTTP.
"""
