package main

import (
	"context"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/config/confighttp"
	"go.opentelemetry.io/collector/config/configoptional"
	"go.opentelemetry.io/collector/config/configretry"
	"go.opentelemetry.io/collector/exporter"
	"go.opentelemetry.io/collector/exporter/exporterhelper"
	"go.opentelemetry.io/collector/pdata/plog"
)

// opensearchConfig has the fields of contrib's opensearchexporter v0.138.0 `config.go`, the last one whose source the
// module proxies hand out and which no longer compiles with this collector. It stands in to check keys: it sends nothing.
type opensearchConfig struct {
	confighttp.ClientConfig      `mapstructure:"http"`
	configretry.BackOffConfig    `mapstructure:"retry_on_failure"`
	exporterhelper.TimeoutConfig `mapstructure:",squash"`
	Queue                        configoptional.Optional[exporterhelper.QueueBatchConfig] `mapstructure:"sending_queue"`
	Dataset                      string                                                   `mapstructure:"dataset"`
	Namespace                    string                                                   `mapstructure:"namespace"`
	LogsIndex                    string                                                   `mapstructure:"logs_index"`
	LogsIndexFallback            string                                                   `mapstructure:"logs_index_fallback"`
	LogsIndexTimeFormat          string                                                   `mapstructure:"logs_index_time_format"`
	BulkAction                   string                                                   `mapstructure:"bulk_action"`
}

func newOpensearchFactory() exporter.Factory {
	return exporter.NewFactory(component.MustNewType("opensearch"), defaultOpensearchConfig,
		exporter.WithLogs(newOpensearchLogs, component.StabilityLevelAlpha))
}

func defaultOpensearchConfig() component.Config {
	return &opensearchConfig{
		ClientConfig:  confighttp.NewDefaultClientConfig(),
		BackOffConfig: configretry.NewDefaultBackOffConfig(),
		TimeoutConfig: exporterhelper.NewDefaultTimeoutConfig(),
		Queue:         configoptional.Some(exporterhelper.NewDefaultQueueConfig()),
	}
}

func newOpensearchLogs(ctx context.Context, set exporter.Settings, cfg component.Config) (exporter.Logs, error) {
	config := cfg.(*opensearchConfig)
	send := func(context.Context, plog.Logs) error { return nil }
	return exporterhelper.NewLogs(ctx, set, cfg, send,
		exporterhelper.WithRetry(config.BackOffConfig), exporterhelper.WithQueue(config.Queue),
		exporterhelper.WithTimeout(config.TimeoutConfig))
}
