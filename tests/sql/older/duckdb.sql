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
	created_at TIMESTAMP WITHOUT TIME ZONE,
	attempted_at TIMESTAMP WITHOUT TIME ZONE,
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
	platform_analysis JSON,
	client_analysis JSON,
	transcript JSON,
	recording_url TEXT,
	recording_path TEXT,
	recording_bytes BIGINT,
	raw JSON,
	status_since TIMESTAMP WITHOUT TIME ZONE,
	history_state VARCHAR(191),
	history_reason TEXT,
	watermark BOOLEAN,
	first_read_at TIMESTAMP WITHOUT TIME ZONE,
	read_at TIMESTAMP WITHOUT TIME ZONE,
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
	created_at TIMESTAMP WITHOUT TIME ZONE,
	attempted_at TIMESTAMP WITHOUT TIME ZONE,
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
	platform_analysis JSON,
	client_analysis JSON,
	transcript JSON,
	recording_url TEXT,
	recording_path TEXT,
	recording_bytes BIGINT,
	raw JSON,
	details_raw JSON,
	status_since TIMESTAMP WITHOUT TIME ZONE,
	history_state VARCHAR(191),
	history_reason TEXT,
	watermark BOOLEAN,
	first_read_at TIMESTAMP WITHOUT TIME ZONE,
	changed_at TIMESTAMP WITHOUT TIME ZONE,
	read_at TIMESTAMP WITHOUT TIME ZONE,
	erased_at TIMESTAMP WITHOUT TIME ZONE,
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
	created_at TIMESTAMP WITHOUT TIME ZONE,
	attempted_at TIMESTAMP WITHOUT TIME ZONE,
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
	platform_analysis JSON,
	client_analysis JSON,
	transcript JSON,
	recording_url TEXT,
	recording_path TEXT,
	recording_bytes BIGINT,
	raw JSON,
	details_raw JSON,
	status_since TIMESTAMP WITHOUT TIME ZONE,
	history_state VARCHAR(191),
	history_reason TEXT,
	watermark TIMESTAMP WITHOUT TIME ZONE,
	first_read_at TIMESTAMP WITHOUT TIME ZONE,
	changed_at TIMESTAMP WITHOUT TIME ZONE,
	read_at TIMESTAMP WITHOUT TIME ZONE,
	erased_at TIMESTAMP WITHOUT TIME ZONE,
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
	created_at TIMESTAMP WITHOUT TIME ZONE,
	attempted_at TIMESTAMP WITHOUT TIME ZONE,
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
	platform_analysis JSON,
	client_analysis JSON,
	transcript JSON,
	recording_url TEXT,
	recording_path TEXT,
	recording_bytes BIGINT,
	raw JSON,
	details_raw JSON,
	status_since TIMESTAMP WITHOUT TIME ZONE,
	history_state VARCHAR(191),
	history_reason TEXT,
	watermark TIMESTAMP WITHOUT TIME ZONE,
	first_read_at TIMESTAMP WITHOUT TIME ZONE,
	changed_at TIMESTAMP WITHOUT TIME ZONE,
	read_at TIMESTAMP WITHOUT TIME ZONE,
	erased_at TIMESTAMP WITHOUT TIME ZONE,
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
