-- Links in letters, on which customers answer, and what they said. A link is a bearer of rights: what is kept of it opens nothing.
create table link (
    id            uuid        primary key default gen_random_uuid(),
    -- SHA-256 of the token that stands in the address.
    token_hash    text        not null unique check (token_hash ~ '^[0-9a-f]{64}$'),
    -- SHA-256 of the token with the code that is typed: who reads this table can't try codes without the token.
    code_hash     text        not null check (code_hash ~ '^[0-9a-f]{64}$'),
    purpose       text        not null check (purpose in ('confirm', 'report')),
    occurrence    uuid        references occurrence,
    run           uuid        references run,
    -- The letter that it stands in. One that is written again has another link; the older stays good.
    notification  uuid        not null references notification,
    customer      text        not null,
    recipient     text        not null,
    recipient_name text       not null,
    locale        text        not null,
    -- Codes that may still be tried; none left: the link only shows.
    attempts_left smallint    not null check (attempts_left >= 0),
    expires_at    timestamptz not null,
    created_at    timestamptz not null default now(),
    constraint link_is_of_its_purpose check (
        (purpose = 'confirm' and occurrence is not null and run is null)
        or (purpose = 'report' and run is not null and occurrence is null))
);
create index link_of_notification on link (notification);
create index link_of_run on link (run) where run is not null;

create table answer (
    number      bigint      generated always as identity primary key,
    occurrence  uuid        references occurrence,
    -- The sequence that was answered to: what is called off and comes back is asked for anew.
    sequence    int,
    run         uuid        references run,
    decision    text        not null
                check (decision in ('confirmed', 'move_asked', 'accepted', 'accepted_with_remarks', 'refused', 'deemed')),
    -- Local time, in the zone of the occurrence, for which the customer asks.
    wish        timestamp,
    remark      text        check (remark <> '' and length(remark) <= 2000),
    -- Who said so: the recipient of the link, or a name that was told by phone.
    said_by     text        check (said_by <> ''),
    -- Who typed it, or which controller found that the time is over; null: who said so.
    entered_by  text        check (entered_by <> ''),
    said_at     timestamptz not null,
    via         text        not null check (via in ('page', 'phone', 'deadline')),
    link        uuid        references link,
    -- SHA-256 of the report's JSON as it stood then.
    report_hash text        check (report_hash ~ '^[0-9a-f]{64}$'),
    constraint about_a_date_or_a_report check (
        case when decision in ('confirmed', 'move_asked')
             then occurrence is not null and sequence is not null and run is null and report_hash is null
             else run is not null and report_hash is not null and occurrence is null and sequence is null end),
    constraint wish_iff_move_asked check ((wish is not null) = (decision = 'move_asked')),
    constraint remarks_are_said check (remark is not null or decision not in ('accepted_with_remarks', 'refused')),
    -- Nobody says that a time is over.
    constraint deemed_iff_by_deadline check ((decision = 'deemed') = (via = 'deadline')),
    constraint somebody_said_it check ((said_by is null) = (decision = 'deemed')),
    constraint link_iff_by_page check ((link is not null) = (via = 'page'))
);

-- The judges when two people answer at the same time: one answer to a report, and one to a date as it was announced.
create unique index one_answer_per_report on answer (run) where run is not null;
create unique index one_answer_per_date on answer (occurrence, sequence) where occurrence is not null;

create trigger answer_is_append_only before update or delete on answer for each row execute function refuse_change();
create trigger answer_is_not_emptied before truncate on answer for each statement execute function refuse_change();
