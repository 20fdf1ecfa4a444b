#pragma once

// The contract suite of the port PipelineStore, run against every adapter: derive a PipelinePlace
// and instantiate PipelineStoreContract with a function that makes one.

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "ports/pipeline_store.hpp"

namespace signalbox {

/// A pipeline as the platform keeps it; what is JSON is JSON text, absent is NULL.
struct StoredPipeline {
  int number = 1;  ///< makes the id, and the scanner's
  std::string name = "Swing";
  bool is_active = true;
  std::string trigger_mode = "signal";
  std::string config = "{}";
  std::optional<std::string> subscriptions{};
  std::optional<std::string> scanner_tickers{};
  std::optional<std::string> scanner_config{};  ///< absent: no scanner
};

/// Whether a store hears of a change at once.
enum class Changes : std::uint8_t { Told, NotTold };

/// Where one test's pipelines are. Empty when made; leaves nothing behind.
class PipelinePlace {
 public:
  virtual ~PipelinePlace() = default;

  virtual std::unique_ptr<PipelineStore> make_store() = 0;
  virtual void put(const StoredPipeline& pipeline) = 0;  ///< new, or in place of its number's
  virtual void remove(int number) = 0;
  virtual Changes changes() const = 0;
};

/// The id that the place gives to pipeline `number`; its owner's is the same for all.
Uuid pipeline_id(int number);
Uuid pipeline_owner();

struct PipelineStoreAdapter {
  std::string name;
  std::function<std::unique_ptr<PipelinePlace>()> make_place;
};

std::string pipeline_store_name(const testing::TestParamInfo<PipelineStoreAdapter>& info);

class PipelineStoreContract : public testing::TestWithParam<PipelineStoreAdapter> {
 protected:
  PipelineStoreContract() : place_(GetParam().make_place()), store_(place_->make_store()) {}

  /// Puts it alone, and loads: the tickers joined by blanks, or "malformed", or "nothing".
  std::string loaded(const StoredPipeline& pipeline);

  std::unique_ptr<PipelinePlace> place_;
  std::unique_ptr<PipelineStore> store_;
};

}  // namespace signalbox
