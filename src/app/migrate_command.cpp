// `signalbox migrate` and `signalbox prune`: the tables, and their size.

#include <cstdio>

#include "adapters/dead_letter_store.hpp"
#include "adapters/postgres_notify.hpp"
#include "adapters/postgres_schema.hpp"
#include "app/command.hpp"
#include "app/dispatcher_parts.hpp"
#include "app/operator_config.hpp"
#include "app/service_main.hpp"

namespace signalbox {
namespace {

int run_migration(const Loaded<OperatorConfigOf<kMigrateCommand>>& loaded) {
  PostgresConnection connection{postgres_options(loaded.config.dispatcher, "signalbox-migrate")};
  const MigrationReport report = migrate(connection);
  std::vector<std::string> done = report.done;
  std::vector<std::string> triggers;
  const NotifyTriggers notify = loaded.config.notify;
  if (notify == NotifyTriggers::Install) triggers = install_notify(connection);
  if (notify == NotifyTriggers::Remove) triggers = remove_notify(connection);
  done.insert(done.end(), triggers.begin(), triggers.end());
  for (const std::string& line : done) std::printf("%s\n", line.c_str());
  std::printf("schema signalbox is at version %d%s\n", report.to_version,
              done.empty() ? ", nothing was to do" : "");
  return exit_status::kStopped;
}

int run_pruning(const Loaded<OperatorConfigOf<kPruneCommand>>& loaded) {
  const DispatcherConfig& config = loaded.config.dispatcher;
  PostgresConnection connection{postgres_options(config, "signalbox-prune")};
  const Retention retention{.records = config.retention,
                            .dead_letters = config.dead_letter_retention};
  for (const Pruned& table : prune(connection, retention)) {
    std::printf("signalbox.%s: %llu rows removed%s\n", table.table.c_str(),
                static_cast<unsigned long long>(table.rows),
                table.is_complete ? "" : ", and there are more: run it again");
  }
  return exit_status::kStopped;
}

}  // namespace

int run_migrate(std::span<const std::string> arguments, const Environment& environment) {
  return with_configuration<OperatorConfigOf<kMigrateCommand>>(arguments, environment,
                                                               run_migration);
}

int run_prune(std::span<const std::string> arguments, const Environment& environment) {
  return with_configuration<OperatorConfigOf<kPruneCommand>>(arguments, environment, run_pruning);
}

}  // namespace signalbox
