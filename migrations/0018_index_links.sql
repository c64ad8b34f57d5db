-- Links that have expired are looked for again and again, and with each whether somebody answered by it.
create index link_by_expiry on link (expires_at);
create index answer_by_link on answer (link) where link is not null;
