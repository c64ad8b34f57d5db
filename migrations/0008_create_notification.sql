-- One message to one recipient, made in the transaction of its cause. Sent later, by whoever sends.
create table notification (
    id            uuid        primary key default gen_random_uuid(),
    number        bigint      generated always as identity unique,
    kind          text        not null check (kind in ('announcement', 'reminder', 'moved', 'cancelled', 'started', 'finished',
                                                       'missed', 'review_needed')),
    -- Null: to the provider's team about nobody in particular.
    customer      text,
    occurrence    uuid        references occurrence,
    run           uuid        references run,
    recipient     text        not null,
    recipient_name text       not null,
    locale        text        not null,
    -- What distinguishes messages of one kind about one thing ('2d' of a reminder).
    detail        json        not null default '{}',
    state         text        not null default 'due' check (state in ('due', 'leased', 'sent', 'undeliverable', 'cancelled')),
    created_at    timestamptz not null default now(),
    -- Each recipient gets each message once (G8).
    dedupe_key    text        not null unique
);
create index notification_due on notification (number) where state = 'due';
create index notification_of_occurrence on notification (occurrence);
