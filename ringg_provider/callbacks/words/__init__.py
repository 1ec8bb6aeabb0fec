"""How people say when: the words of languages (`data/`), what stands in a sentence, and which moment that is."""
