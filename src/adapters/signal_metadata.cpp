#include "adapters/signal_metadata.hpp"

#include <algorithm>
#include <string>
#include <unordered_map>
#include <vector>

#include "adapters/json_scanner.hpp"
#include "adapters/json_text.hpp"

namespace signalbox {
namespace {

constexpr std::size_t kScalarBytesMax = 1'024;
constexpr std::size_t kReadValueBytesMax = 4'096;  ///< of a value that workers read

constexpr bool is_space(char c) { return c == ' ' || c == '\n' || c == '\t' || c == '\r'; }

/// Index of the quote that closes the string which begins at `open`.
std::size_t closing_quote(std::string_view json, std::size_t open) {
  std::size_t at = open + 1;
  while (at < json.size() && json[at] != '"') at += json[at] == '\\' ? 2U : 1U;
  return std::min(at, json.size());
}

bool is_typed_key(std::string_view raw_key) {
  if (!raw_key.contains('\\')) return raw_key == kTypedKey;
  return unescaped(raw_key) == kTypedKey;
}

/// One member of an object, as it stands in the text.
struct Member {
  std::string name;      ///< escapes resolved
  std::string_view key;  ///< with its quotes
  std::string_view value;
  bool is_container = false;
  std::size_t depth = 0;  ///< of a container
};

/// Of a key that repeats the last member; the members of a text that is no object are none.
std::vector<Member> members_of(std::string_view json) {
  JsonScanner scanner;
  std::vector<Member> members;
  std::unordered_map<std::string, std::size_t> places;
  if (scanner.open(json) || scanner.next_type() != JsonType::Object) return members;
  scanner.enter();
  JsonValue key;
  while (scanner.next_member(key) == JsonStep::Key) {
    Member member{.name = key.has_escapes ? unescaped(key.text) : std::string(key.text),
                  .key = {key.text.data() - 1, key.text.size() + 2},
                  .value = {}};
    const std::size_t begin = scanner.next_at();
    member.is_container = scanner.next_type() != JsonType::String;
    JsonValue value;
    if (!scanner.read_value(value)) return members;
    if (member.is_container) {
      member.value = json.substr(begin, scanner.behind_container() - begin);
      member.depth = scanner.container_depth();
    } else {
      const std::size_t quotes = value.type == JsonType::String ? 2 : 0;
      member.value = json.substr(begin, value.text.size() + quotes);
    }
    const auto [place, is_new] = places.try_emplace(member.name, members.size());
    if (is_new) {
      members.push_back(std::move(member));
    } else {
      members[place->second] = std::move(member);
    }
  }
  return members;
}

bool is_read_by_workers(const Member& member) {
  const bool is_named = member.name == "timeframe" || member.name == "timeframes" ||
                        member.name.starts_with("backtest_");
  return is_named && member.value.size() <= kReadValueBytesMax && member.depth < kMetadataDepthMax;
}

bool is_small_scalar(const Member& member) {
  return !member.is_container && member.value.size() <= kScalarBytesMax;
}

/// Appends the member unless the object would grow beyond its limit.
void append(std::string& object, const Member& member) {
  std::string text = object.size() > 1 ? "," : "";
  if (member.name == kTypedKey) {
    (text += '"').append(kRenamedTypedKey) += '"';
  } else {
    text += member.key;
  }
  text += ':';
  text += member.is_container ? without_typed_keys(member.value) : std::string(member.value);
  if (object.size() + text.size() + 1 <= kMetadataBytesMax) object += text;
}

}  // namespace

bool has_endless_number(std::string_view json) {
  const auto is_digit = [&](std::size_t at) { return json[at] >= '0' && json[at] <= '9'; };
  // So long a run covers one of these places.
  for (std::size_t at = kNumberDigitsMax; at < json.size(); at += kNumberDigitsMax) {
    if (!is_digit(at)) continue;
    std::size_t first = at;
    std::size_t last = at + 1;
    while (first > 0 && is_digit(first - 1)) --first;
    while (last < json.size() && is_digit(last)) ++last;
    if (last - first > kNumberDigitsMax) return true;
  }
  return false;
}

bool may_have_typed_keys(std::string_view json) {
  // Without a `\u` every character of the key stands for itself.
  return json.contains(kTypedKey) || json.contains("\\u");
}

std::string without_typed_keys(std::string_view json) {
  std::string result;
  result.reserve(json.size() + 16);
  std::size_t copied = 0;
  std::size_t open = json.find('"');
  while (open < json.size()) {
    const std::size_t close = closing_quote(json, open);
    std::size_t behind = close + 1;
    while (behind < json.size() && is_space(json[behind])) ++behind;
    const bool is_key = behind < json.size() && json[behind] == ':';
    if (is_key && is_typed_key(json.substr(open + 1, close - open - 1))) {
      result.append(json.substr(copied, open + 1 - copied)).append(kRenamedTypedKey);
      copied = close;
    }
    open = json.find('"', behind);
  }
  return result.append(json.substr(std::min(copied, json.size())));
}

std::string reduced_metadata(std::string_view json) {
  const std::vector<Member> members = members_of(json);
  std::string object = "{";
  for (const Member& member : members) {
    if (is_read_by_workers(member)) append(object, member);
  }
  for (const Member& member : members) {
    if (!is_read_by_workers(member) && is_small_scalar(member)) append(object, member);
  }
  return object += '}';
}

}  // namespace signalbox
