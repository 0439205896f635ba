-- Words wait in a list before the index until enough came together: what a backfill brings must not be
-- sorted into the index in its way. The list holds the words of some 250,000 headers; store_sweep
-- empties it each minute (search_tidy), on its own time and all at once, which costs a third of what
-- it costs in the 4 MB that PostgreSQL would take. Until then searches read the words themselves.
ALTER INDEX search_words SET (gin_pending_list_limit = 131072);
