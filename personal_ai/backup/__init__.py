"""Everything of one person out into one encrypted file and, merging, in again; and what to print on paper."""
