#include "contract/message_source_suite.hpp"

#include <unistd.h>

#include <utility>

namespace signalbox::contract {

std::ostream& operator<<(std::ostream& out, const LogFactory& factory) {
  return out << factory.name;
}

void MessageSourceContract::SetUp() { log = GetParam().make(); }

std::string MessageSourceContract::fresh_name(std::string_view what) const {
  static int count = 0;
  static const auto started = std::chrono::system_clock::now().time_since_epoch();
  return std::string(what) + "." + std::to_string(getpid()) + "." +
         std::to_string(std::chrono::duration_cast<std::chrono::milliseconds>(started).count()) +
         "." + std::to_string(++count);
}

Reader::Reader(std::unique_ptr<MessageSource> its_source, BeginAt begin_at)
    : source(std::move(its_source)), begin_at_(std::move(begin_at)) {
  if (!begin_at_) begin_at_ = [](const TopicPartition&) { return Offset{0}; };
}

std::size_t Reader::step(std::chrono::milliseconds wait) {
  const Polled polled = source->poll(limits, wait);
  for (const TopicPartition& partition : polled.lost) {
    lost.push_back(partition);
    owned.erase(partition);
  }
  for (const TopicPartition& partition : polled.assigned) {
    assigned.push_back(partition);
    owned[partition] = FetchId{};
    if (const auto at = begin_at_(partition)) begin(partition, *at);
  }
  for (const TopicPartition& partition : polled.out_of_range) out_of_range.push_back(partition);
  std::size_t messages = 0;
  for (const Run& run : polled.batch.runs) {
    messages += run.messages.size();
    const auto ours = owned.find(run.partition);
    if (ours == owned.end() || ours->second == FetchId{}) {
      unowned += run.messages.size();
      continue;
    }
    if (ours->second != run.fetch) {
      stale += run.messages.size();
      continue;
    }
    auto& list = received[run.partition];
    for (const Message& message : run.messages) {
      list.push_back({message.offset, message.timestamp, std::string(message.key), std::nullopt,
                      message.headers});
      if (keep_payloads && !message.is_tombstone()) list.back().payload = message.payload;
    }
  }
  return messages;
}

bool Reader::until(const std::function<bool()>& done, std::chrono::seconds limit) {
  const auto deadline = std::chrono::steady_clock::now() + limit;
  while (!done() && std::chrono::steady_clock::now() < deadline) step();
  return done();
}

void Reader::begin(const TopicPartition& partition, Offset offset) {
  if (const auto fetch = source->begin(partition, offset)) owned[partition] = *fetch;
}

std::size_t Reader::count() const {
  std::size_t count = 0;
  for (const auto& [partition, list] : received) count += list.size();
  return count;
}

std::vector<std::int64_t> Reader::offsets(const TopicPartition& partition) const {
  std::vector<std::int64_t> offsets;
  const auto found = received.find(partition);
  if (found == received.end()) return offsets;
  for (const Received& message : found->second) offsets.push_back(message.offset.value);
  return offsets;
}

}  // namespace signalbox::contract
