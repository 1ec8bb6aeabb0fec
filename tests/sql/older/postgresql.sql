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
	is_final BOOLEAN,
	created_at TIMESTAMP WITH TIME ZONE,
	attempted_at TIMESTAMP WITH TIME ZONE,
	duration_seconds NUMERIC(18, 3),
	cost NUMERIC(18, 6),
	currency VARCHAR(191),
	cost_final BOOLEAN,
	voicemail_detected BOOLEAN,
	summary TEXT,
	classification TEXT,
	sentiment TEXT,
	callback_requested BOOLEAN,
	callback_requested_time TEXT,
	disconnect_reason TEXT,
	platform_analysis JSONB,
	client_analysis JSONB,
	transcript JSONB,
	recording_url TEXT,
	recording_path TEXT,
	recording_bytes BIGINT,
	raw JSONB,
	status_since TIMESTAMP WITH TIME ZONE,
	history_state VARCHAR(191),
	history_reason TEXT,
	watermark BOOLEAN,
	first_read_at TIMESTAMP WITH TIME ZONE,
	read_at TIMESTAMP WITH TIME ZONE,
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
	is_final BOOLEAN,
	created_at TIMESTAMP WITH TIME ZONE,
	attempted_at TIMESTAMP WITH TIME ZONE,
	duration_seconds NUMERIC(18, 3),
	cost NUMERIC(18, 6),
	currency VARCHAR(191),
	cost_final BOOLEAN,
	voicemail_detected BOOLEAN,
	summary TEXT,
	classification TEXT,
	sentiment TEXT,
	callback_requested BOOLEAN,
	callback_requested_time TEXT,
	disconnect_reason TEXT,
	platform_analysis JSONB,
	client_analysis JSONB,
	transcript JSONB,
	recording_url TEXT,
	recording_path TEXT,
	recording_bytes BIGINT,
	raw JSONB,
	details_raw JSONB,
	status_since TIMESTAMP WITH TIME ZONE,
	history_state VARCHAR(191),
	history_reason TEXT,
	watermark BOOLEAN,
	first_read_at TIMESTAMP WITH TIME ZONE,
	changed_at TIMESTAMP WITH TIME ZONE,
	read_at TIMESTAMP WITH TIME ZONE,
	erased_at TIMESTAMP WITH TIME ZONE,
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
	is_final BOOLEAN,
	created_at TIMESTAMP WITH TIME ZONE,
	attempted_at TIMESTAMP WITH TIME ZONE,
	duration_seconds NUMERIC(18, 3),
	cost NUMERIC(18, 6),
	currency VARCHAR(191),
	cost_final BOOLEAN,
	voicemail_detected BOOLEAN,
	summary TEXT,
	classification TEXT,
	sentiment TEXT,
	callback_requested BOOLEAN,
	callback_requested_time TEXT,
	disconnect_reason TEXT,
	platform_analysis JSONB,
	client_analysis JSONB,
	transcript JSONB,
	recording_url TEXT,
	recording_path TEXT,
	recording_bytes BIGINT,
	raw JSONB,
	details_raw JSONB,
	status_since TIMESTAMP WITH TIME ZONE,
	history_state VARCHAR(191),
	history_reason TEXT,
	watermark TIMESTAMP WITH TIME ZONE,
	first_read_at TIMESTAMP WITH TIME ZONE,
	changed_at TIMESTAMP WITH TIME ZONE,
	read_at TIMESTAMP WITH TIME ZONE,
	erased_at TIMESTAMP WITH TIME ZONE,
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
	is_final BOOLEAN,
	created_at TIMESTAMP WITH TIME ZONE,
	attempted_at TIMESTAMP WITH TIME ZONE,
	duration_seconds NUMERIC(18, 3),
	cost NUMERIC(18, 6),
	currency VARCHAR(191),
	cost_final BOOLEAN,
	voicemail_detected BOOLEAN,
	summary TEXT,
	classification TEXT,
	sentiment TEXT,
	callback_requested BOOLEAN,
	callback_requested_time TEXT,
	disconnect_reason TEXT,
	platform_analysis JSONB,
	client_analysis JSONB,
	transcript JSONB,
	recording_url TEXT,
	recording_path TEXT,
	recording_bytes BIGINT,
	raw JSONB,
	details_raw JSONB,
	status_since TIMESTAMP WITH TIME ZONE,
	history_state VARCHAR(191),
	history_reason TEXT,
	watermark TIMESTAMP WITH TIME ZONE,
	first_read_at TIMESTAMP WITH TIME ZONE,
	changed_at TIMESTAMP WITH TIME ZONE,
	read_at TIMESTAMP WITH TIME ZONE,
	erased_at TIMESTAMP WITH TIME ZONE,
	PRIMARY KEY (call_id)
);
CREATE INDEX ix_ringg_calls_bulk_list_id ON ringg_calls (bulk_list_id);
CREATE INDEX ix_ringg_calls_changed_at ON ringg_calls (changed_at);
CREATE INDEX ix_ringg_calls_history_state ON ringg_calls (history_state);
CREATE INDEX ix_ringg_calls_to_number_e164 ON ringg_calls (to_number_e164);

-- ringg_contacts of 54388de
CREATE TABLE ringg_contacts (
	launch_key VARCHAR(250) NOT NULL,
	contact_key VARCHAR(250) NOT NULL,
	occurrence INTEGER NOT NULL,
	list_id VARCHAR(100),
	phone VARCHAR(20),
	disposition VARCHAR(40) NOT NULL,
	detail TEXT,
	recorded_at TIMESTAMP WITH TIME ZONE NOT NULL,
	PRIMARY KEY (launch_key, contact_key, occurrence)
);

-- ringg_launches of 6702536
CREATE TABLE ringg_launches (
	launch_key VARCHAR(250) NOT NULL,
	list_id VARCHAR(100) NOT NULL,
	slot VARCHAR(100) NOT NULL,
	set_id VARCHAR(36) NOT NULL,
	flow VARCHAR(20),
	rows INTEGER,
	digest VARCHAR(64) NOT NULL,
	agent_id VARCHAR(100),
	state VARCHAR(20) NOT NULL,
	item JSON NOT NULL,
	intent JSON,
	claim VARCHAR(36),
	listed_at TIMESTAMP WITH TIME ZONE NOT NULL,
	start_sent_at TIMESTAMP WITH TIME ZONE,
	started_at TIMESTAMP WITH TIME ZONE,
	PRIMARY KEY (launch_key, list_id),
	CONSTRAINT ringg_launches_one_set UNIQUE (launch_key, slot)
);
