-- When a due occurrence was last looked at: what it waited for long ago is not why it was missed, and nobody is looked at twice while
-- others wait for their first look.
alter table occurrence add column looked_at timestamptz;
