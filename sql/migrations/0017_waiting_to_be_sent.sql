-- A message that waits since its server could not be reached or takes none goes as soon as another one of
-- the account finds it well again, in the order in which they were sent; one that the server has refused
-- for now waits for its own time.
ALTER TABLE submission ADD COLUMN waits_for_server boolean NOT NULL DEFAULT false;
