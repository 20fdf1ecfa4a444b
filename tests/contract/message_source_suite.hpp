#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include "ports/message_source.hpp"

namespace signalbox::contract {

/// A message for a log under test. Without a payload it is a tombstone.
struct Produced {
  std::string topic;
  std::int32_t partition = 0;
  std::string key{};
  std::optional<std::string> payload{};
  std::vector<Header> headers{};
  std::optional<EventTime> timestamp{};
};

struct MemberOptions {
  std::string group;
  std::string member;               ///< a name of its own in the group
  std::vector<std::string> topics;  ///< names, or patterns that begin with ^
  std::size_t handover_max_bytes = 32'000'000;
};

/// A log to which a test can write and whose members it can make: what an adapter brings to the
/// contract suite. One thread owns it.
class LogUnderTest {
 public:
  virtual ~LogUnderTest() = default;

  /// What the adapter states about itself; a test that needs more is skipped.
  virtual bool outlives_its_process() const = 0;

  /// Topics take messages up to 2,100,000 bytes.
  virtual void create_topic(const std::string& name, int partitions) = 0;

  /// Returns when all are in the log.
  virtual void produce(const std::vector<Produced>& messages) = 0;

  virtual std::unique_ptr<MessageSource> make_member(const MemberOptions& options) = 0;

  /// Bytes that the adapter holds for its caller; nullopt when it fetches on demand.
  virtual std::optional<std::size_t> handover_bytes(const MessageSource& source) const = 0;
};

/// Makes one adapter's log. A factory that cannot (no broker) fails the test with the reason.
struct LogFactory {
  std::string name;
  std::function<std::unique_ptr<LogUnderTest>()> make;
};

std::ostream& operator<<(std::ostream& out, const LogFactory& factory);

class MessageSourceContract : public testing::TestWithParam<LogFactory> {
 protected:
  void SetUp() override;

  /// A name that no other test, and no earlier run, has used.
  std::string fresh_name(std::string_view what) const;

  std::unique_ptr<LogUnderTest> log;
};

/// A caller of a source as the port wants it: begins what is assigned, drops what is lost and what
/// an earlier begin() fetched, and remembers what came.
class Reader {
 public:
  struct Received {
    Offset offset;
    EventTime timestamp;
    std::string key;
    std::optional<std::string> payload;
    std::vector<Header> headers;
  };

  /// Where an assigned partition begins; nullopt leaves it silent. Default: at 0.
  using BeginAt = std::function<std::optional<Offset>(const TopicPartition&)>;

  explicit Reader(std::unique_ptr<MessageSource> its_source, BeginAt begin_at = {});

  /// One poll, its changes handled. Returns how many messages it brought.
  std::size_t step(std::chrono::milliseconds wait = std::chrono::milliseconds{100});

  /// Polls until `done` or for `limit`; returns done().
  bool until(const std::function<bool()>& done,
             std::chrono::seconds limit = std::chrono::seconds{30});

  void begin(const TopicPartition& partition, Offset offset);
  std::size_t count() const;  ///< messages received, all partitions
  std::vector<std::int64_t> offsets(const TopicPartition& partition) const;

  std::unique_ptr<MessageSource> source;
  PollLimits limits{};
  bool keep_payloads = true;
  std::map<TopicPartition, std::vector<Received>> received;
  std::map<TopicPartition, FetchId> owned;  ///< with the fetch that counts; 0 while silent
  std::vector<TopicPartition> assigned, lost, out_of_range;  ///< every report, in order
  std::size_t stale = 0;                                     ///< messages of an earlier fetch
  std::size_t unowned = 0;  ///< messages of a partition that was silent, or not ours

 private:
  BeginAt begin_at_;
};

}  // namespace signalbox::contract
