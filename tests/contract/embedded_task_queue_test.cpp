#include "contract/embedded_queue_place.hpp"
#include "support/temporary_folder.hpp"

namespace signalbox {
namespace {

/// A folder that goes after the place in it.
class InFolder {
 protected:
  TemporaryFolder folder_;
};

class EmbeddedQueueInFile final : InFolder, public EmbeddedQueuePlace {
 public:
  explicit EmbeddedQueueInFile(const ClaimRules& rules)
      : EmbeddedQueuePlace(rules, {.file = folder_ / "tasks.db", .sync = SqliteSync::Normal}) {}
};

INSTANTIATE_TEST_SUITE_P(
    Embedded, TaskQueueContract,
    testing::Values(TaskQueueAdapter{"Embedded",
                                     [](const ClaimRules& rules) {
                                       return std::make_unique<EmbeddedQueuePlace>(rules);
                                     }},
                    TaskQueueAdapter{"EmbeddedInFile",
                                     [](const ClaimRules& rules) {
                                       return std::make_unique<EmbeddedQueueInFile>(rules);
                                     }}),
    [](const auto& adapter) { return adapter.param.name; });

}  // namespace
}  // namespace signalbox
