create table if not exists "runs" (
  "id" text not null,
  "run_type" text not null,
  "trigger" text not null,
  "actor_type" text not null,
  "actor_id" text,
  "status" text not null,
  "current_step" text,
  "started_at" integer,
  "completed_at" integer,
  "duration_ms" integer,
  "input" text,
  "output" text,
  "error" text,
  "created_at" integer not null,
  "updated_at" integer not null,
  primary key ("id")
);

create table if not exists "run_steps" (
  "id" text not null,
  "run_id" text,
  "parent_step_id" text,
  "step_index" integer not null,
  "actor_type" text not null,
  "actor_id" text,
  "step_type" text not null,
  "status" text not null,
  "entity_type" text,
  "entity_id" text,
  "context" text,
  "input" text,
  "output" text,
  "items_total" integer,
  "items_processed" integer,
  "items_succeeded" integer,
  "items_failed" integer,
  "attempt" integer not null,
  "retry_of" text,
  "max_retries" integer not null,
  "error" text,
  "started_at" integer,
  "completed_at" integer,
  "duration_ms" integer,
  "created_at" integer not null,
  "updated_at" integer not null,
  primary key ("id"),
  foreign key ("run_id") references "runs" ("id")
);

create table if not exists "run_calls" (
  "id" text not null,
  "step_id" text not null,
  "tool" text not null,
  "operation" text not null,
  "input" text,
  "output" text,
  "status" text not null,
  "error" text,
  "attempt" integer not null,
  "retry_of" text,
  "duration_ms" integer,
  "metadata" text,
  "created_at" integer not null,
  "run_id" text,
  primary key ("id"),
  foreign key ("step_id") references "run_steps" ("id")
);

create table if not exists "run_step_links" (
  "id" text not null,
  "step_id" text not null,
  "link_type" text not null,
  "entity_type" text not null,
  "entity_id" text not null,
  "external_id" text,
  "created_at" integer not null,
  "run_id" text,
  primary key ("id"),
  foreign key ("step_id") references "run_steps" ("id")
);

create index if not exists "runs_created_idx" on "runs" ("created_at", "id");

create index if not exists "runs_status_idx" on "runs" ("status", "created_at", "id") where "status" <> 'completed';

create index if not exists "runs_type_idx" on "runs" ("run_type", "created_at", "id");

create index if not exists "runs_actor_idx" on "runs" ("actor_id", "created_at", "id");

create index if not exists "runs_completed_idx" on "runs" ("completed_at") where "completed_at" is not null;

create index if not exists "run_steps_run_idx" on "run_steps" ("run_id", "created_at", "id");

create index if not exists "run_steps_running_idx" on "run_steps" ("created_at", "id") where "status" = 'running';

create index if not exists "run_steps_completed_idx" on "run_steps" ("run_id", "completed_at") where "run_id" is null and "completed_at" is not null;

create index if not exists "run_calls_run_idx" on "run_calls" ("run_id", "created_at", "id");

create index if not exists "run_calls_step_idx" on "run_calls" ("step_id", "created_at", "id");

create index if not exists "run_calls_running_idx" on "run_calls" ("created_at", "id") where "status" = 'running';

create index if not exists "run_step_links_run_idx" on "run_step_links" ("run_id", "created_at", "id");

create index if not exists "run_step_links_step_idx" on "run_step_links" ("step_id", "created_at", "id");
