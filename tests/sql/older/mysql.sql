-- ringg_calls of 811d38f
CREATE TABLE ringg_calls (
	call_id VARCHAR(191) NOT NULL,
	bulk_list_id VARCHAR(191),
	agent_id VARCHAR(191),
	agent_name TEXT,
	call_type VARCHAR(191),
	to_number VARCHAR(191),
	to_number_e164 VARCHAR(191),
	from_number VARCHAR(191),
	callee_name TEXT,
	status VARCHAR(191),
	sub_status TEXT,
	is_final BOOL,
	created_at DATETIME,
	attempted_at DATETIME,
	duration_seconds NUMERIC(18, 3),
	cost NUMERIC(18, 6),
	currency VARCHAR(191),
	cost_final BOOL,
	voicemail_detected BOOL,
	summary TEXT,
	classification TEXT,
	sentiment TEXT,
	callback_requested BOOL,
	callback_requested_time TEXT,
	disconnect_reason TEXT,
	platform_analysis JSON,
	client_analysis JSON,
	transcript JSON,
	recording_url TEXT,
	recording_path TEXT,
	recording_bytes BIGINT,
	raw JSON,
	status_since DATETIME,
	history_state VARCHAR(191),
	history_reason TEXT,
	watermark BOOL,
	first_read_at DATETIME,
	read_at DATETIME,
	PRIMARY KEY (call_id)
);
CREATE INDEX ix_ringg_calls_bulk_list_id ON ringg_calls (bulk_list_id);
CREATE INDEX ix_ringg_calls_created_at ON ringg_calls (created_at);
CREATE INDEX ix_ringg_calls_history_state ON ringg_calls (history_state);
CREATE INDEX ix_ringg_calls_to_number_e164 ON ringg_calls (to_number_e164);

-- ringg_calls of 61a1a66
CREATE TABLE ringg_calls (
	call_id VARCHAR(191) NOT NULL,
	bulk_list_id VARCHAR(191),
	agent_id VARCHAR(191),
	agent_name TEXT,
	call_type VARCHAR(191),
	to_number VARCHAR(191),
	to_number_e164 VARCHAR(191),
	from_number VARCHAR(191),
	callee_name TEXT,
	status VARCHAR(191),
	sub_status TEXT,
	is_final BOOL,
	created_at DATETIME,
	attempted_at DATETIME,
	duration_seconds NUMERIC(18, 3),
	cost NUMERIC(18, 6),
	currency VARCHAR(191),
	cost_final BOOL,
	voicemail_detected BOOL,
	summary TEXT,
	classification TEXT,
	sentiment TEXT,
	callback_requested BOOL,
	callback_requested_time TEXT,
	disconnect_reason TEXT,
	platform_analysis JSON,
	client_analysis JSON,
	transcript JSON,
	recording_url TEXT,
	recording_path TEXT,
	recording_bytes BIGINT,
	raw JSON,
	details_raw JSON,
	status_since DATETIME,
	history_state VARCHAR(191),
	history_reason TEXT,
	watermark BOOL,
	first_read_at DATETIME,
	changed_at DATETIME,
	read_at DATETIME,
	erased_at DATETIME,
	PRIMARY KEY (call_id)
);
CREATE INDEX ix_ringg_calls_bulk_list_id ON ringg_calls (bulk_list_id);
CREATE INDEX ix_ringg_calls_changed_at ON ringg_calls (changed_at);
CREATE INDEX ix_ringg_calls_created_at ON ringg_calls (created_at);
CREATE INDEX ix_ringg_calls_history_state ON ringg_calls (history_state);
CREATE INDEX ix_ringg_calls_to_number_e164 ON ringg_calls (to_number_e164);

-- ringg_calls of 929b540
CREATE TABLE ringg_calls (
	call_id VARCHAR(191) NOT NULL,
	bulk_list_id VARCHAR(191),
	agent_id VARCHAR(191),
	agent_name TEXT,
	call_type VARCHAR(191),
	to_number VARCHAR(191),
	to_number_e164 VARCHAR(191),
	from_number VARCHAR(191),
	callee_name TEXT,
	status VARCHAR(191),
	sub_status TEXT,
	is_final BOOL,
	created_at DATETIME,
	attempted_at DATETIME,
	duration_seconds NUMERIC(18, 3),
	cost NUMERIC(18, 6),
	currency VARCHAR(191),
	cost_final BOOL,
	voicemail_detected BOOL,
	summary TEXT,
	classification TEXT,
	sentiment TEXT,
	callback_requested BOOL,
	callback_requested_time TEXT,
	disconnect_reason TEXT,
	platform_analysis JSON,
	client_analysis JSON,
	transcript JSON,
	recording_url TEXT,
	recording_path TEXT,
	recording_bytes BIGINT,
	raw JSON,
	details_raw JSON,
	status_since DATETIME,
	history_state VARCHAR(191),
	history_reason TEXT,
	watermark DATETIME,
	first_read_at DATETIME,
	changed_at DATETIME,
	read_at DATETIME,
	erased_at DATETIME,
	PRIMARY KEY (call_id)
);
CREATE INDEX ix_ringg_calls_bulk_list_id ON ringg_calls (bulk_list_id);
CREATE INDEX ix_ringg_calls_changed_at ON ringg_calls (changed_at);
CREATE INDEX ix_ringg_calls_created_at ON ringg_calls (created_at);
CREATE INDEX ix_ringg_calls_history_state ON ringg_calls (history_state);
CREATE INDEX ix_ringg_calls_to_number_e164 ON ringg_calls (to_number_e164);

-- ringg_calls of 336c988
CREATE TABLE ringg_calls (
	call_id VARCHAR(191) NOT NULL,
	bulk_list_id VARCHAR(191),
	agent_id VARCHAR(191),
	agent_name TEXT,
	call_type VARCHAR(191),
	to_number VARCHAR(191),
	to_number_e164 VARCHAR(191),
	from_number VARCHAR(191),
	callee_name TEXT,
	status VARCHAR(191),
	sub_status TEXT,
	is_final BOOL,
	created_at DATETIME,
	attempted_at DATETIME,
	duration_seconds NUMERIC(18, 3),
	cost NUMERIC(18, 6),
	currency VARCHAR(191),
	cost_final BOOL,
	voicemail_detected BOOL,
	summary TEXT,
	classification TEXT,
	sentiment TEXT,
	callback_requested BOOL,
	callback_requested_time TEXT,
	disconnect_reason TEXT,
	platform_analysis JSON,
	client_analysis JSON,
	transcript JSON,
	recording_url TEXT,
	recording_path TEXT,
	recording_bytes BIGINT,
	raw JSON,
	details_raw JSON,
	status_since DATETIME,
	history_state VARCHAR(191),
	history_reason TEXT,
	watermark DATETIME,
	first_read_at DATETIME,
	changed_at DATETIME,
	read_at DATETIME,
	erased_at DATETIME,
	PRIMARY KEY (call_id)
);
CREATE INDEX ix_ringg_calls_bulk_list_id ON ringg_calls (bulk_list_id);
CREATE INDEX ix_ringg_calls_changed_at ON ringg_calls (changed_at);
CREATE INDEX ix_ringg_calls_history_state ON ringg_calls (history_state);
CREATE INDEX ix_ringg_calls_to_number_e164 ON ringg_calls (to_number_e164);

-- ringg_calls of 55214ae
CREATE TABLE ringg_calls (
	call_id VARCHAR(191) NOT NULL,
	bulk_list_id VARCHAR(191),
	agent_id VARCHAR(191),
	agent_name TEXT,
	call_type VARCHAR(191),
	to_number VARCHAR(191),
	to_number_e164 VARCHAR(191),
	from_number VARCHAR(191),
	callee_name TEXT,
	status VARCHAR(191),
	sub_status TEXT,
	is_final BOOL,
	created_at DATETIME,
	attempted_at DATETIME,
	duration_seconds NUMERIC(18, 3),
	cost NUMERIC(18, 6),
	currency VARCHAR(191),
	cost_final BOOL,
	voicemail_detected BOOL,
	summary TEXT,
	classification TEXT,
	sentiment TEXT,
	callback_requested BOOL,
	callback_requested_time TEXT,
	disconnect_reason TEXT,
	platform_analysis JSON,
	client_analysis JSON,
	transcript JSON,
	recording_url TEXT,
	recording_path TEXT,
	recording_bytes BIGINT,
	raw JSON,
	details_raw JSON,
	status_since DATETIME,
	history_state VARCHAR(191),
	history_reason TEXT,
	first_read_at DATETIME,
	changed_at DATETIME,
	read_at DATETIME,
	erased_at DATETIME,
	PRIMARY KEY (call_id)
);
CREATE INDEX ix_ringg_calls_bulk_list_id ON ringg_calls (bulk_list_id);
CREATE INDEX ix_ringg_calls_changed_at ON ringg_calls (changed_at);
CREATE INDEX ix_ringg_calls_history_state ON ringg_calls (history_state);
CREATE INDEX ix_ringg_calls_to_number_e164 ON ringg_calls (to_number_e164);

-- ringg_campaigns of 811d38f
CREATE TABLE ringg_campaigns (
	campaign_id VARCHAR(191) NOT NULL,
	name TEXT,
	agent_id VARCHAR(191),
	status VARCHAR(191),
	state VARCHAR(191),
	created_at DATETIME,
	updated_at DATETIME,
	campaign_start_time DATETIME,
	campaign_end_time DATETIME,
	total_count BIGINT,
	registered_count BIGINT,
	completed_count BIGINT,
	calls BIGINT,
	calls_open BIGINT,
	calls_incomplete BIGINT,
	calls_completed BIGINT,
	cost NUMERIC(18, 6),
	first_call_at DATETIME,
	last_call_at DATETIME,
	raw JSON,
	history_state VARCHAR(191),
	history_reason TEXT,
	calls_read_at DATETIME,
	first_read_at DATETIME,
	read_at DATETIME,
	PRIMARY KEY (campaign_id)
);
CREATE INDEX ix_ringg_campaigns_history_state ON ringg_campaigns (history_state);

-- ringg_contacts of 54388de
CREATE TABLE ringg_contacts (
	launch_key VARCHAR(250) NOT NULL,
	contact_key VARCHAR(250) NOT NULL,
	occurrence INTEGER NOT NULL,
	list_id VARCHAR(100),
	phone VARCHAR(20),
	disposition VARCHAR(40) NOT NULL,
	detail TEXT,
	recorded_at DATETIME NOT NULL,
	PRIMARY KEY (launch_key, contact_key, occurrence)
);

-- ringg_history_state of 55214ae
CREATE TABLE ringg_history_state (
	calls_table VARCHAR(191) NOT NULL,
	read_until DATETIME,
	changed_at DATETIME,
	PRIMARY KEY (calls_table)
);

-- ringg_launches of 6702536
CREATE TABLE ringg_launches (
	launch_key VARCHAR(250) NOT NULL,
	list_id VARCHAR(100) NOT NULL,
	slot VARCHAR(100) NOT NULL,
	set_id VARCHAR(36) NOT NULL,
	flow VARCHAR(20),
	`rows` INTEGER,
	digest VARCHAR(64) NOT NULL,
	agent_id VARCHAR(100),
	state VARCHAR(20) NOT NULL,
	item JSON NOT NULL,
	intent JSON,
	claim VARCHAR(36),
	listed_at DATETIME NOT NULL,
	start_sent_at DATETIME,
	started_at DATETIME,
	PRIMARY KEY (launch_key, list_id),
	CONSTRAINT ringg_launches_one_set UNIQUE (launch_key, slot)
);

-- ringg_launches of 5641a62
CREATE TABLE ringg_launches (
	launch_key VARCHAR(250) NOT NULL,
	list_id VARCHAR(100) NOT NULL,
	slot VARCHAR(100) NOT NULL,
	set_id VARCHAR(36) NOT NULL,
	flow VARCHAR(20),
	`rows` INTEGER,
	digest VARCHAR(64) NOT NULL,
	agent_id VARCHAR(100),
	state VARCHAR(20) NOT NULL,
	item JSON NOT NULL,
	intent JSON,
	claim VARCHAR(36),
	listed_at DATETIME NOT NULL,
	start_sent_at DATETIME,
	started_at DATETIME,
	origin VARCHAR(10),
	dag_id VARCHAR(250),
	run_id VARCHAR(250),
	task_id VARCHAR(250),
	PRIMARY KEY (launch_key, list_id),
	CONSTRAINT ringg_launches_one_set UNIQUE (launch_key, slot)
);

-- smartalex_calls of 8a509cc
CREATE TABLE smartalex_calls (
	call_id VARCHAR(191) NOT NULL,
	campaign_id VARCHAR(191),
	agent_id VARCHAR(191),
	contact_id VARCHAR(191),
	direction VARCHAR(191),
	to_number VARCHAR(191),
	to_number_e164 VARCHAR(191),
	callee_name TEXT,
	status VARCHAR(191),
	is_final BOOL,
	created_at DATETIME,
	ended_at DATETIME,
	duration_seconds NUMERIC(18, 3),
	cost NUMERIC(18, 6),
	sentiment TEXT,
	summary TEXT,
	transcript JSON,
	recording_url TEXT,
	raw JSON,
	details_read_at DATETIME,
	first_read_at DATETIME,
	read_at DATETIME,
	PRIMARY KEY (call_id)
);
CREATE INDEX ix_smartalex_calls_campaign_id ON smartalex_calls (campaign_id);
CREATE INDEX ix_smartalex_calls_created_at ON smartalex_calls (created_at);
CREATE INDEX ix_smartalex_calls_to_number_e164 ON smartalex_calls (to_number_e164);

-- smartalex_callbacks of 8a509cc
CREATE TABLE smartalex_callbacks (
	callback_id VARCHAR(191) NOT NULL,
	campaign_id VARCHAR(191),
	agent_id VARCHAR(191),
	contact_id VARCHAR(191),
	to_number VARCHAR(191),
	to_number_e164 VARCHAR(191),
	original_outcome VARCHAR(191),
	attempt INTEGER,
	max_attempts INTEGER,
	scheduled_at DATETIME,
	state VARCHAR(191),
	raw JSON,
	first_read_at DATETIME,
	read_at DATETIME,
	done_at DATETIME,
	PRIMARY KEY (callback_id)
);
CREATE INDEX ix_smartalex_callbacks_campaign_id ON smartalex_callbacks (campaign_id);
CREATE INDEX ix_smartalex_callbacks_state ON smartalex_callbacks (state);
CREATE INDEX ix_smartalex_callbacks_to_number_e164 ON smartalex_callbacks (to_number_e164);
