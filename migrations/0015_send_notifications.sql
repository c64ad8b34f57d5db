-- What sending a message needs: who sends it, when it is tried again, and what became of it.
alter table notification drop constraint notification_kind_check;
alter table notification add constraint notification_kind_check
    check (kind in ('announcement', 'reminder', 'moved', 'cancelled', 'started', 'finished', 'failed', 'missed',
                    'acceptance_reminder', 'period_report', 'review_needed', 'review_reminder', 'run_failed', 'undeliverable',
                    'answer'));

-- How often it was handed to a mail server, or tried to be.
alter table notification add column attempts integer not null default 0 check (attempts >= 0);
-- Not before.
alter table notification add column not_before timestamptz not null default now();
-- Who sends it, until when nobody else may, and which of the attempts it is: what an attempt writes, it writes as that one.
alter table notification add column leased_by text;
alter table notification add column leased_until timestamptz;
alter table notification add constraint notification_lease
    check ((state = 'leased') = (leased_by is not null and leased_until is not null));
-- Set with the first attempt and then kept: who has got it twice can tell (RFC 5322, section 3.6.4).
alter table notification add column message_id text unique;
-- How often in a row a mail server did not take it: the longer, the longer it waits.
alter table notification add column refusals integer not null default 0 check (refusals >= 0);
-- Why the last attempt failed, or why it is not sent, in one line.
alter table notification add column last_error text;
-- When the mail server took it, or it was given up.
alter table notification add column ended_at timestamptz;
update notification set ended_at = created_at where state in ('sent', 'undeliverable', 'cancelled');
-- What was made before turnus could send messages tells of things long past; what lies ahead is still told.
update notification set state = 'cancelled', ended_at = now(), last_error = 'made before turnus could send messages'
    where state = 'due' and kind in ('started', 'finished', 'missed');
alter table notification add constraint notification_ended
    check ((ended_at is not null) = (state in ('sent', 'undeliverable', 'cancelled')));

-- Which promise a message about an occurrence belongs to: the occurrence's sequence when the message was made.
alter table notification add column sequence integer check (sequence >= 0);
update notification set sequence = occurrence.sequence from occurrence where occurrence.id = notification.occurrence;

drop index notification_due;
create index notification_due on notification (not_before) where state = 'due';
create index notification_lapsed on notification (leased_until) where state = 'leased';
create index notification_undeliverable on notification (customer) where state = 'undeliverable';

alter table contact drop constraint contact_receives_check;
alter table contact add constraint contact_receives_check check (receives <@ array['announcement', 'report', 'start', 'team']);
-- How dates come to this contact's calendar.
alter table contact add column calendar text not null default 'publish' check (calendar in ('publish', 'request'));
-- Likewise of a message's recipient, as it was when the message was made.
alter table notification add column calendar text not null default 'publish' check (calendar in ('publish', 'request'));

-- A run for an occurrence in which nothing was to be done on any host: nobody is told by a message of its own.
alter table run add column quiet boolean not null default false;
-- What the report of a run tells beside the run: json of domain::report::meanwhile.
alter table run add column meanwhile json not null default '{}';
create index run_told on run (customer, finished_at) where finished_at is not null;
