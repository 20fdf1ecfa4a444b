#include "contract/embedded_queue_place.hpp"

namespace signalbox {
namespace {

INSTANTIATE_TEST_SUITE_P(Embedded, TaskQueueContract,
                         testing::Values(TaskQueueAdapter{
                             "Embedded",
                             [](const ClaimRules& rules) {
                               return std::make_unique<EmbeddedQueuePlace>(rules);
                             }}),
                         [](const auto& adapter) { return adapter.param.name; });

}  // namespace
}  // namespace signalbox
