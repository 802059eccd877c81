package reach

// reads makes tools that only read records which their arguments do not name.
func reads(names ...string) map[string]Tool { return all(Tool{Classes: []Class{Read}}, names) }

// docs makes tools that read documentation and touch no records.
func docs(names ...string) map[string]Tool {
	return all(Tool{Classes: []Class{Read}, Touch: TouchNothing}, names)
}

// writes makes tools of one class whose arguments name no records.
func writes(c Class, names ...string) map[string]Tool { return all(Tool{Classes: []Class{c}}, names) }

func all(t Tool, names []string) map[string]Tool {
	tools := make(map[string]Tool, len(names))
	for _, name := range names {
		tools[name] = t
	}
	return tools
}

func merge(parts ...map[string]Tool) map[string]Tool {
	tools := make(map[string]Tool)
	for _, part := range parts {
		for name, t := range part {
			tools[name] = t
		}
	}
	return tools
}

// gridTools are the 51 tools of agentforce-grid. What runs cells runs agents and
// invocable actions, which may do anything: Unknown.
var gridTools = merge(
	reads("grid_list_workbooks", "grid_get_workbook", "grid_get_worksheets_by_workbook", "grid_get_worksheet",
		"grid_get_worksheet_data", "grid_get_worksheet_data_generic", "grid_get_column_data", "grid_get_run_worksheet_job",
		"grid_get_column_types", "grid_discover_sobjects", "grid_discover_fields_display", "grid_discover_fields_filter",
		"grid_discover_fields_record_update", "grid_discover_llm_models", "grid_discover_supported_types",
		"grid_discover_agents", "grid_discover_agent_variables", "grid_discover_evaluation_types", "grid_discover_dataspaces",
		"grid_discover_formula_functions", "grid_discover_formula_operators", "grid_discover_invocable_actions",
		"grid_discover_prompt_templates", "grid_discover_prompt_template_details", "grid_discover_list_views",
		"grid_discover_data_model_objects", "grid_discover_data_model_object_fields",
		"grid_generate_soql", "grid_generate_json_path", "grid_generate_ia_input", "grid_validate_formula"),
	writes(Create, "grid_create_workbook", "grid_create_worksheet", "grid_create_column_from_utterance",
		"grid_generate_test_columns", "grid_add_rows", "grid_add_column", "grid_import_csv"),
	writes(Update, "grid_update_worksheet", "grid_edit_column", "grid_save_column", "grid_paste", "grid_update_cells"),
	writes(Delete, "grid_delete_workbook", "grid_delete_worksheet", "grid_delete_rows", "grid_delete_column"),
	writes(Unknown, "grid_run_worksheet", "grid_reprocess_column", "grid_trigger_row_execution", "grid_apply_grid"),
)

// backupTools are the 22 tools of backup-and-recover.
var backupTools = merge(
	reads("get_backups", "get_backup_by_id", "get_backup_objects", "get_latest_policy", "get_retention_rules",
		"get_audit_events", "get_activities", "get_activity", "get_compare_activity", "get_compare_activity_summaries",
		"get_hierarchy_summary", "get_restore_activity", "get_restore_activity_summary",
		"get_restore_activity_object_results", "get_restore_activity_record_selection_metadata",
		"get_restore_result_counts", "get_restore_with_hierarchy", "get_restore_with_hierarchy_results",
		"get_selection_counts_by_type"),
	writes(Create, "enqueue_backup", "create_compare_activity"),
	writes(Update, "update_selection_records"),
)

// contentReads are the 22 tools of content-readonly.
var contentReads = reads("get_cms_workspace", "get_cms_workspaces", "get_cms_channels_for_workspace",
	"search_content_cms_workspaces", "get_cms_content_item", "get_cms_content_variant", "get_cms_folder",
	"get_cms_folder_sharing_details", "get_cms_channels", "get_cms_channel", "get_cms_channel_delivery_detail",
	"search_content_cms_channels", "search_media_cms_channels", "get_published_cms_content_from_channel",
	"get_published_cms_content_from_site", "get_published_cms_content_item_from_site",
	"get_published_cms_collection_from_site", "get_published_cms_content_item_from_channel",
	"get_published_cms_collection_from_channel", "search_electronic_media", "get_brand_instructions",
	"get_content_types_for_workspace")

// contentWrites are the 15 tools of content-write.
var contentWrites = merge(
	writes(Create, "create_cms_workspace", "create_cms_content", "create_cms_content_variant", "clone_cms_content",
		"create_cms_folder", "create_cms_channel", "get_or_create_cms_workspace_and_web_app_channel"),
	writes(Update, "update_cms_workspace", "update_cms_workspace_channels", "update_cms_content_variant",
		"update_cms_folder", "update_cms_folder_sharing_settings", "update_cms_channel", "publish_cms_content",
		"unpublish_cms_content"),
)

// tableauTools are the 19 tools of tableau-next.
var tableauTools = reads("analyze_data", "list_dashboards", "get_dashboard", "list_visualizations", "get_visualization",
	"list_semantic_models", "get_semantic_model", "list_semantic_model_data_objects",
	"list_semantic_model_relationships", "get_semantic_model_logical_view", "list_semantic_model_measures",
	"list_semantic_model_dimensions", "list_semantic_model_metrics", "get_semantic_model_metric",
	"list_semantic_model_calculated_dimensions", "list_semantic_model_calculated_measures", "list_workspaces",
	"list_workspace_assets", "search_assets")

// analyticsTools are the 10 tools of crma-beta.
var analyticsTools = merge(
	reads("list_folders", "get_folder", "list_datasets", "get_dataset", "get_xmd", "list_dashboards", "get_dashboard",
		"list_lenses", "get_lens"),
	map[string]Tool{"execute_query": {Classes: []Class{Read}, Unbounded: true}},
)
