#include "domain/fence.hpp"

#include <algorithm>
#include <array>

#include "domain/text.hpp"

namespace signalbox {
namespace {

constexpr std::size_t kFields = 7;

/// An absent lineage is written as "-", so that every field has at least one character.
constexpr std::string_view kNoLineage = "-";

}  // namespace

std::string encode(const Fence& fence) {
  std::string text;
  text.reserve(80);
  append_integer(text, fence.next.value);
  text += ' ';
  append_integer(text, fence.part);
  text += ' ';
  append_integer(text, fence.last_timestamp.time_since_epoch().count());
  text += ' ';
  append_integer(text, fence.seq);
  text += ' ';
  append_integer(text, fence.epoch);
  text += ' ';
  text += fence.lineage.empty() ? kNoLineage : std::string_view{fence.lineage};
  text += ' ';
  append_integer(text, fence.gap);
  return text;
}

std::expected<Fence, std::string> decode_fence(std::string_view text) {
  std::array<std::string_view, kFields> fields;
  std::size_t count = 0;
  for_each_part(text, ' ', [&](std::string_view part) {
    if (count < kFields) fields[count] = part;
    ++count;
  });
  const auto malformed = [&](std::string_view what) {
    return std::unexpected("fence `" + std::string(text.substr(0, 200)) +
                           "`: " + std::string(what));
  };
  if (count != kFields) return malformed("seven fields separated by single spaces are expected");
  const auto next = integer_from<std::int64_t>(fields[0]);
  const auto part = integer_from<std::int32_t>(fields[1]);
  const auto last_timestamp = integer_from<std::int64_t>(fields[2]);
  const auto seq = integer_from<std::uint64_t>(fields[3]);
  const auto epoch = integer_from<std::int64_t>(fields[4]);
  const auto gap = integer_from<std::int64_t>(fields[6]);
  if (!next || *next < 0) return malformed("the first field is the next offset, 0 or more");
  if (!part || *part < 0) return malformed("the second field is the part, 0 or more");
  if (!last_timestamp || !seq || !epoch || !gap) return malformed("a field is not an integer");
  if (fields[5].empty()) return malformed("the lineage is empty");
  return Fence{.next = Offset{*next},
               .part = *part,
               .last_timestamp = EventTime{std::chrono::milliseconds{*last_timestamp}},
               .seq = *seq,
               .epoch = *epoch,
               .lineage = fields[5] == kNoLineage ? "" : std::string(fields[5]),
               .gap = *gap};
}

std::string_view name_of(ResumeCase resume_case) {
  constexpr std::array<std::string_view, 7> names{"first_start", "new_partition", "sink_forgot",
                                                  "at_fence",    "sink_restored", "outside_log",
                                                  "log_replaced"};
  return names[static_cast<std::size_t>(resume_case)];
}

Resume resume_from(const std::optional<Fence>& fence, const LogRange& log, StartAt first_start,
                   GroupHistory history) {
  if (fence) {
    if (fence->next < log.begin || fence->next > log.end) {
      return {ResumeCase::OutsideLog, resume_by_time(*fence)};
    }
    const bool behind = log.committed && fence->next < *log.committed;
    return {behind ? ResumeCase::SinkRestored : ResumeCase::AtFence, ResumeAt{fence->next}};
  }
  if (log.committed) {
    // A commit outside the log is no place to resume: the log's nearest end is.
    const Offset at = std::clamp(*log.committed, log.begin, log.end);
    return {ResumeCase::SinkForgot, ResumeAt{at}};
  }
  if (history == GroupHistory::Started) return {ResumeCase::NewPartition, ResumeAt{log.begin}};
  return {ResumeCase::FirstStart, ResumeAt{first_start == StartAt::Latest ? log.end : log.begin}};
}

ResumeByTime resume_by_time(const Fence& fence) {
  return {fence.last_timestamp - std::chrono::seconds{1}};
}

}  // namespace signalbox
