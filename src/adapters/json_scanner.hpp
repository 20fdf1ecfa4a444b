#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "domain/number_text.hpp"
#include "domain/reject.hpp"

namespace signalbox {

enum class JsonType : std::uint8_t {
  Absent,
  Null,
  False,
  True,
  Number,
  NotFinite,  ///< NaN, Infinity, -Infinity: no JSON, but what Python writes
  String,
  Array,
  Object,
};

/// "a string", "an object", … for a person to read.
std::string_view name_of(JsonType type);

/// One value as it stands in the payload.
struct JsonValue {
  JsonType type = JsonType::Absent;
  NumberShape shape = NumberShape::NotANumber;  ///< of a Number
  bool has_escapes = false;                     ///< of a String
  std::string_view text;  ///< a scalar; a string without its quotes; empty for a container
};

enum class JsonStep : std::uint8_t { Key, End, Malformed };

/// Walks the members of one JSON object, and of what is entered inside it, and checks all of the
/// text on the way: UTF-8, structure, strings with their escapes, and that every scalar is a JSON
/// token, NaN, Infinity or -Infinity. Only after End is the payload known to be good. Keys may
/// repeat. Nesting ends at kDepthMax.
///
/// The first stage of simdjson finds where tokens begin and checks UTF-8, 64 bytes at a time. The
/// walk goes over that index in a loop, so that depth costs no stack. (On-Demand would not do: it
/// leaves out what it skips.) One thread owns a scanner; the index is reused from payload to
/// payload.
class JsonScanner {
 public:
  static constexpr std::size_t kDepthMax = 1024;

  JsonScanner();
  ~JsonScanner();

  /// Begins with a payload, which must live as long as the walk. The error tells what is not
  /// UTF-8, not JSON, or JSON but no object.
  std::optional<Reject> open(std::string_view payload);

  /// The next key of the object, its escapes resolved; `key` is valid until the next call. After
  /// Malformed, failure() says what was found.
  JsonStep next_key(std::string_view& key);

  /// The value of that key. False means Malformed.
  bool read_value(JsonValue& value);

  /// What begins here, judged by its first character: Object, Array, or String for any scalar.
  JsonType next_type() const;

  /// Steps into the array or object that is the next value; its members and elements are then
  /// taken with the two functions below until End, which steps out of it again. Whoever calls
  /// bounds how often that is done inside each other.
  void enter() { ++at_; }

  /// As next_key(), of an object that was entered. The key's escapes are not resolved.
  JsonStep next_member(JsonValue& key);

  /// Key means: there is an element, and its value is next.
  JsonStep next_element();

  /// Index of the next token; of the byte behind the last one, which must be no scalar.
  std::size_t next_at() const { return at_ < marks_.size() ? marks_[at_] : payload_.size(); }
  std::size_t behind_container() const { return marks_[at_ - 1] + 1; }

  /// How deep the last container that read_value() took is nested: 1 when it holds no other.
  std::size_t container_depth() const { return container_depth_; }

  const Reject& failure() const { return failure_; }

  /// Index of the brace that closes the object; after End.
  std::size_t closing_brace() const { return closing_brace_; }

 private:
  struct Index;

  std::optional<Reject> index_payload(std::string_view payload);
  char current() const { return at_ < marks_.size() ? payload_[marks_[at_]] : '\0'; }
  // Each token passes these, and a call costs as much as the work.
  [[gnu::always_inline]] std::string_view token() const;
  [[gnu::always_inline]] bool read_string(JsonValue& value);
  [[gnu::always_inline]] bool read_scalar(JsonValue& value);
  [[gnu::always_inline]] bool read_leaf(JsonValue& value);
  [[gnu::always_inline]] bool read_key(JsonValue& key);
  JsonStep next_key_of_any_form(std::string_view& key);
  bool skip_container();
  bool expect_end();
  bool fail(std::string_view expected);

  std::unique_ptr<Index> index_;
  std::string_view payload_;
  std::span<const std::uint32_t> marks_;  ///< where each token of the payload begins
  std::size_t at_ = 0;  ///< the next of marks_; at 0, the object has just been opened
  bool has_backslash_ = false;
  std::size_t container_depth_ = 0;
  std::size_t closing_brace_ = 0;
  std::string key_;
  Reject failure_{RejectReason::NotJson, {}};
};

}  // namespace signalbox
