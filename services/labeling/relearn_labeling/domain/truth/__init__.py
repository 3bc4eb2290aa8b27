"""From answers to labels, and how far to trust either: pure statistics on values.

`overlaps` says how far two parts are of the same thing, `words` how far two transcripts are the same; `matching`
compares two answers, `things` finds what several annotators mean, `merging` makes one region of it. `skills` is what
is known of annotators and turns votes into a posterior; `weighted` and `dawid_skene` estimate it; `alpha` is
Krippendorff's. `verdict` puts it together: what the answers to one task make of it.
"""
