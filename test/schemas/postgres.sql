create table if not exists "runs" (
  "id" text collate "C" not null,
  "run_type" text not null,
  "trigger" text not null,
  "actor_type" text not null,
  "actor_id" text collate "C",
  "status" text not null,
  "current_step" text,
  "started_at" timestamptz(3),
  "completed_at" timestamptz(3),
  "duration_ms" bigint,
  "input" jsonb,
  "output" jsonb,
  "error" text,
  "created_at" timestamptz(3) not null,
  "updated_at" timestamptz(3) not null,
  primary key ("id")
);

create table if not exists "run_steps" (
  "id" text collate "C" not null,
  "run_id" text collate "C",
  "parent_step_id" text collate "C",
  "step_index" bigint not null,
  "actor_type" text not null,
  "actor_id" text collate "C",
  "step_type" text not null,
  "status" text not null,
  "entity_type" text,
  "entity_id" text collate "C",
  "context" jsonb,
  "input" jsonb,
  "output" jsonb,
  "items_total" bigint,
  "items_processed" bigint,
  "items_succeeded" bigint,
  "items_failed" bigint,
  "attempt" bigint not null,
  "retry_of" text collate "C",
  "max_retries" bigint not null,
  "error" text,
  "started_at" timestamptz(3),
  "completed_at" timestamptz(3),
  "duration_ms" bigint,
  "created_at" timestamptz(3) not null,
  "updated_at" timestamptz(3) not null,
  primary key ("id"),
  foreign key ("run_id") references "runs" ("id")
);

create table if not exists "run_calls" (
  "id" text collate "C" not null,
  "step_id" text collate "C" not null,
  "tool" text not null,
  "operation" text not null,
  "input" jsonb,
  "output" jsonb,
  "status" text not null,
  "error" text,
  "attempt" bigint not null,
  "retry_of" text collate "C",
  "duration_ms" bigint,
  "metadata" jsonb,
  "created_at" timestamptz(3) not null,
  "run_id" text collate "C",
  primary key ("id"),
  foreign key ("step_id") references "run_steps" ("id")
);

create table if not exists "run_step_links" (
  "id" text collate "C" not null,
  "step_id" text collate "C" not null,
  "link_type" text not null,
  "entity_type" text not null,
  "entity_id" text collate "C" not null,
  "external_id" text collate "C",
  "created_at" timestamptz(3) not null,
  "run_id" text collate "C",
  primary key ("id"),
  foreign key ("step_id") references "run_steps" ("id")
);

create index if not exists "runs_created_idx" on "runs" ("created_at", "id");

create index if not exists "runs_status_idx" on "runs" ("status", "created_at", "id") where "status" <> 'completed';

create index if not exists "runs_type_idx" on "runs" (left("run_type", 200), "created_at", "id");

create index if not exists "runs_actor_idx" on "runs" (left("actor_id", 200), "created_at", "id");

create index if not exists "runs_completed_idx" on "runs" ("completed_at") where "completed_at" is not null;

create index if not exists "run_steps_run_idx" on "run_steps" ("run_id", "created_at", "id");

create index if not exists "run_steps_running_idx" on "run_steps" ("created_at", "id") where "status" = 'running';

create index if not exists "run_steps_completed_idx" on "run_steps" ("run_id", "completed_at") where "run_id" is null and "completed_at" is not null;

create index if not exists "run_calls_run_idx" on "run_calls" ("run_id", "created_at", "id");

create index if not exists "run_calls_step_idx" on "run_calls" ("step_id", "created_at", "id");

create index if not exists "run_calls_running_idx" on "run_calls" ("created_at", "id") where "status" = 'running';

create index if not exists "run_step_links_run_idx" on "run_step_links" ("run_id", "created_at", "id");

create index if not exists "run_step_links_step_idx" on "run_step_links" ("step_id", "created_at", "id");
