"""The pages of people: sessions, second factor, API tokens, and what a second person confirms."""
