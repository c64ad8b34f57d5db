-- When the team is reminded of a review that nobody has decided; null: not (any more).
alter table occurrence add column review_reminder_at timestamptz;
create index occurrence_review_reminder on occurrence (review_reminder_at) where review_reminder_at is not null;

alter table notification drop constraint notification_kind_check;
alter table notification add constraint notification_kind_check
    check (kind in ('announcement', 'reminder', 'moved', 'cancelled', 'started', 'finished', 'missed', 'review_needed', 'review_reminder'));
