"""The typed service: pictures, texts and rows in, answers for people out."""
