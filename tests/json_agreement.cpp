#include "json_agreement.hpp"

#include <algorithm>
#include <expected>
#include <map>

#include <nlohmann/json.hpp>

#include "adapters/json_scanner.hpp"
#include "adapters/json_text.hpp"

namespace signalbox {
namespace {

constexpr int kNumberOverflow = 406;

struct Member {
  JsonType type;
  bool has_escapes;
  std::string text;
};

using Members = std::map<std::string, Member>;

/// The last value of each key, or why the text is refused.
std::expected<Members, Reject> scan(std::string_view text) {
  JsonScanner scanner;
  if (auto reject = scanner.open(text)) return std::unexpected(*std::move(reject));
  Members members;
  std::string_view key;
  JsonValue value;
  JsonStep step = scanner.next_key(key);
  for (; step == JsonStep::Key; step = scanner.next_key(key)) {
    const std::string name{key};
    if (!scanner.read_value(value)) return std::unexpected(scanner.failure());
    members.insert_or_assign(name, Member{value.type, value.has_escapes, std::string(value.text)});
  }
  if (step == JsonStep::Malformed) return std::unexpected(scanner.failure());
  return members;
}

/// The same bytes with each token that only we take replaced by a number of the same length.
std::string without_special_tokens(std::string_view text) {
  std::string result{text};
  for (const std::string_view token : {"-Infinity", "Infinity", "NaN"}) {
    for (std::size_t at = result.find(token); at != std::string::npos; at = result.find(token)) {
      result.replace(at, token.size(), std::string(token.size(), '1'));
    }
  }
  return result;
}

std::size_t depth_of(const nlohmann::json& value) {
  if (!value.is_structured()) return 0;
  std::size_t deepest = 0;
  for (const auto& child : value) deepest = std::max(deepest, depth_of(child));
  return deepest + 1;
}

bool same_value(const Member& ours, const nlohmann::json& theirs) {
  switch (ours.type) {
    case JsonType::Absent:
    case JsonType::NotFinite:
      return false;
    case JsonType::Null:
      return theirs.is_null();
    case JsonType::False:
    case JsonType::True:
      return theirs == (ours.type == JsonType::True);
    case JsonType::Number:
      return theirs.is_number() && theirs.get<double>() == number_value(ours.text);
    case JsonType::String:
      return theirs == (ours.has_escapes ? unescaped(ours.text) : ours.text);
    case JsonType::Array:
      return theirs.is_array();
    case JsonType::Object:
      return theirs.is_object();
  }
  return false;
}

std::string difference(const Members& ours, const nlohmann::json& theirs) {
  if (ours.size() != theirs.size()) return "the number of keys differs";
  for (const auto& [key, value] : ours) {
    if (!theirs.contains(key)) return "key `" + key + "` is ours only";
    if (!same_value(value, theirs[key])) return "the value of `" + key + "` differs";
  }
  return {};
}

}  // namespace

std::string scanner_verdict(std::string_view text) {
  const auto scanned = scan(text);
  return scanned ? "accepted" : std::string(name_of(scanned.error().reason));
}

std::string disagreement(std::string_view text) {
  const auto ours = scan(text);
  try {
    const auto theirs = nlohmann::json::parse(text);
    if (text.contains('\0') || text.starts_with("\xEF\xBB\xBF")) return {};
    if (depth_of(theirs) > JsonScanner::kDepthMax) return {};
    if (!theirs.is_object()) {
      const bool agree = !ours && ours.error().reason == RejectReason::NotAnObject;
      return agree ? "" : "valid JSON that is no object";
    }
    return ours ? difference(*ours, theirs) : "refused by us alone: " + ours.error().detail;
  } catch (const nlohmann::json::parse_error&) {
    if (!ours) return {};
    try {
      // What they take once the tokens are gone that only we take is well.
      const auto plain = nlohmann::json::parse(without_special_tokens(text));
      return plain.is_object() ? "" : "accepted by us alone: no object";
    } catch (const nlohmann::json::parse_error& error) {
      return std::string("accepted by us alone: ") + error.what();
    } catch (const nlohmann::json::out_of_range& error) {
      return error.id == kNumberOverflow ? "" : error.what();
    }
  } catch (const nlohmann::json::out_of_range& error) {
    return error.id == kNumberOverflow ? "" : error.what();
  }
}

}  // namespace signalbox
