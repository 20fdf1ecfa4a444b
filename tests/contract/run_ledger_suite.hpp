#pragma once

// The contract suite of the port RunLedger, run against every adapter: derive a RunPlace and
// instantiate RunLedgerContract with a function that makes one.

#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "domain/run_status.hpp"
#include "ports/run_ledger.hpp"

namespace signalbox {

/// A run as the platform keeps it. Ages count from the database's clock.
struct StoredRun {
  int pipeline = 1;  ///< number of a pipeline of PipelinePlace
  std::optional<std::string> symbol = "AAPL";
  std::string status = "RUNNING";
  std::optional<std::chrono::seconds> started_ago{};
  std::chrono::seconds created_ago{0};
};

/// Where one test's runs are. Empty when made, with the pipelines 1 to 9; leaves nothing behind.
class RunPlace {
 public:
  virtual ~RunPlace() = default;

  virtual std::unique_ptr<RunLedger> make_ledger(std::vector<std::string> blocking) = 0;
  virtual void put(const StoredRun& run) = 0;
};

struct RunLedgerAdapter {
  std::string name;
  std::function<std::unique_ptr<RunPlace>()> make_place;
};

std::string run_ledger_name(const testing::TestParamInfo<RunLedgerAdapter>& info);

class RunLedgerContract : public testing::TestWithParam<RunLedgerAdapter> {
 protected:
  RunLedgerContract()
      : place_(GetParam().make_place()),
        ledger_(place_->make_ledger({kBlockingStatuses.begin(), kBlockingStatuses.end()})) {}

  /// Which of the pipelines are busy with what: "1:AAPL 2:*", sorted.
  std::string active(RunLedger& ledger, const std::vector<int>& pipelines);
  std::string active(const std::vector<int>& pipelines) { return active(*ledger_, pipelines); }

  std::unique_ptr<RunPlace> place_;
  std::unique_ptr<RunLedger> ledger_;
};

}  // namespace signalbox
