create table if not exists "jobs_runs" (
  "space_id" text not null,
  "user_id" text not null,
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
  primary key ("space_id", "user_id", "id")
);

create table if not exists "jobs_run_steps" (
  "space_id" text not null,
  "user_id" text not null,
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
  primary key ("space_id", "user_id", "id"),
  foreign key ("space_id", "user_id", "run_id") references "jobs_runs" ("space_id", "user_id", "id")
);

create table if not exists "jobs_run_calls" (
  "space_id" text not null,
  "user_id" text not null,
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
  primary key ("space_id", "user_id", "id"),
  foreign key ("space_id", "user_id", "step_id") references "jobs_run_steps" ("space_id", "user_id", "id")
);

create table if not exists "jobs_run_step_links" (
  "space_id" text not null,
  "user_id" text not null,
  "id" text not null,
  "step_id" text not null,
  "link_type" text not null,
  "entity_type" text not null,
  "entity_id" text not null,
  "external_id" text,
  "created_at" integer not null,
  "run_id" text,
  primary key ("space_id", "user_id", "id"),
  foreign key ("space_id", "user_id", "step_id") references "jobs_run_steps" ("space_id", "user_id", "id")
);

create index if not exists "jobs_runs_created_idx" on "jobs_runs" ("space_id", "user_id", "created_at", "id");

create index if not exists "jobs_runs_status_idx" on "jobs_runs" ("space_id", "user_id", "status", "created_at", "id") where "status" <> 'completed';

create index if not exists "jobs_runs_type_idx" on "jobs_runs" ("space_id", "user_id", "run_type", "created_at", "id");

create index if not exists "jobs_runs_actor_idx" on "jobs_runs" ("space_id", "user_id", "actor_id", "created_at", "id");

create index if not exists "jobs_runs_completed_idx" on "jobs_runs" ("space_id", "user_id", "completed_at") where "completed_at" is not null;

create index if not exists "jobs_run_steps_run_idx" on "jobs_run_steps" ("space_id", "user_id", "run_id", "created_at", "id");

create index if not exists "jobs_run_steps_running_idx" on "jobs_run_steps" ("space_id", "user_id", "created_at", "id") where "status" = 'running';

create index if not exists "jobs_run_steps_completed_idx" on "jobs_run_steps" ("space_id", "user_id", "run_id", "completed_at") where "run_id" is null and "completed_at" is not null;

create index if not exists "jobs_run_calls_run_idx" on "jobs_run_calls" ("space_id", "user_id", "run_id", "created_at", "id");

create index if not exists "jobs_run_calls_step_idx" on "jobs_run_calls" ("space_id", "user_id", "step_id", "created_at", "id");

create index if not exists "jobs_run_calls_running_idx" on "jobs_run_calls" ("space_id", "user_id", "created_at", "id") where "status" = 'running';

create index if not exists "jobs_run_step_links_run_idx" on "jobs_run_step_links" ("space_id", "user_id", "run_id", "created_at", "id");

create index if not exists "jobs_run_step_links_step_idx" on "jobs_run_step_links" ("space_id", "user_id", "step_id", "created_at", "id");
