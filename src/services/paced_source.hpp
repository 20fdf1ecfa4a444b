#pragma once

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "domain/query_budget.hpp"
#include "ports/clock.hpp"
#include "ports/message_source.hpp"

namespace signalbox {

/// A source whose polls wait until the query budget has room for another batch, so that batches
/// grow with the load instead of costing a query each. Everything else is the inner source's.
class PacedSource final : public MessageSource {
 public:
  PacedSource(std::unique_ptr<MessageSource> inner, QueryBudget& budget, Clock& clock)
      : inner_(std::move(inner)), budget_(budget), clock_(clock) {}

  Polled poll(const PollLimits& limits, std::chrono::milliseconds wait) override;

  std::optional<FetchId> begin(const TopicPartition& partition, Offset offset) override {
    return inner_->begin(partition, offset);
  }
  bool owns(const TopicPartition& partition) const override { return inner_->owns(partition); }
  std::map<TopicPartition, LogRange> ranges(std::span<const TopicPartition> partitions) override {
    return inner_->ranges(partitions);
  }
  Offset offset_at(const TopicPartition& partition, EventTime time) override {
    return inner_->offset_at(partition, time);
  }
  std::vector<TopicPartition> all_partitions() override { return inner_->all_partitions(); }
  void commit(const TopicPartition& partition, Offset next) override {
    inner_->commit(partition, next);
  }
  std::string lineage() override { return inner_->lineage(); }

 private:
  std::unique_ptr<MessageSource> inner_;
  QueryBudget& budget_;
  Clock& clock_;
};

}  // namespace signalbox
