#pragma once

#include <regex.h>

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "adapters/sqlite_database.hpp"
#include "domain/message.hpp"

namespace signalbox {

/// The names of topics that a group reads.
class TopicFilter {
 public:
  /// POSIX extended regular expressions where they begin with `^`, else names. Throws
  /// std::invalid_argument.
  explicit TopicFilter(const std::vector<std::string>& topics);

  bool matches(const std::string& topic) const;

 private:
  struct Free {
    void operator()(regex_t* pattern) const;
  };
  std::vector<std::string> names_;
  std::vector<std::unique_ptr<regex_t, Free>> patterns_;
};

/// A member of a consumer group of the embedded log, in the words of its tables. Times are of the
/// monotonic clock, which the processes of one machine share.
class EmbeddedGroup {
 public:
  struct Member {
    std::string group;
    std::string id;
    std::chrono::milliseconds expiry;
  };
  using Milliseconds = std::chrono::milliseconds;

  EmbeddedGroup(SqliteDatabase& database, Member member, const TopicFilter& filter);

  /// What a balance brought: the partitions that are ours now, with the ids of their rows.
  struct Share {
    std::map<TopicPartition, std::int64_t> partitions;
    std::int64_t topology = 0;
    /// Others had taken us for dead: nothing that we held before is ours any more.
    bool was_expelled = false;
  };

  /// Says that we live, buries the dead, and takes or gives up partitions until our share is even.
  /// `is_member`: whether we believe to be one. One transaction.
  Share balance(Milliseconds now, bool is_member);

  /// Says that we live, if the others still think so.
  void beat(Milliseconds now);

  /// Gives up everything. One transaction.
  void leave();

  /// Counts changes of topics and members.
  std::int64_t topology();

  bool owns(std::int64_t partition_id);

  /// Every partition of the topics that the group reads, with the ids of their rows.
  std::map<TopicPartition, std::int64_t> matching_partitions();

 private:
  void bury_the_dead(Milliseconds now);
  std::size_t fair_share(std::size_t partitions);
  void move_towards(std::size_t share, const std::map<TopicPartition, std::int64_t>& matching,
                    std::map<TopicPartition, std::int64_t>& ours);

  SqliteDatabase& database_;
  const Member member_;
  const TopicFilter& filter_;
  SqliteStatement topology_;
  SqliteStatement partitions_;
  SqliteStatement beat_;
  SqliteStatement join_;
  SqliteStatement members_;
  SqliteStatement owners_;
  SqliteStatement claim_;
  SqliteStatement give_up_;
};

}  // namespace signalbox
