// Commands for Redis: whatever the arguments hold, hiredis reads back the same ones.

#include "adapters/resp.hpp"

#include <memory>
#include <string>
#include <vector>

#include <fuzzer/FuzzedDataProvider.h>
#include <hiredis.h>

#include "fuzz/fuzz.hpp"

namespace {

using Reader = std::unique_ptr<redisReader, decltype(&redisReaderFree)>;
using Reply = std::unique_ptr<redisReply, decltype(&freeReplyObject)>;

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  FuzzedDataProvider input{data, size};
  std::vector<std::string> arguments{"PUBLISH"};
  while (input.remaining_bytes() > 0 && arguments.size() < 20) {
    arguments.push_back(input.ConsumeRandomLengthString(300));
  }
  std::string out;
  signalbox::append_command_head(out, arguments.size());
  for (const std::string& argument : arguments) signalbox::append_argument(out, argument);
  signalbox::append_command(out, {"PING", arguments.back()});

  const Reader reader{redisReaderCreate(), &redisReaderFree};
  FUZZ_REQUIRE(redisReaderFeed(reader.get(), out.data(), out.size()) == REDIS_OK, out);
  void* raw = nullptr;
  FUZZ_REQUIRE(redisReaderGetReply(reader.get(), &raw) == REDIS_OK && raw, out);
  const Reply command{static_cast<redisReply*>(raw), &freeReplyObject};
  FUZZ_REQUIRE(command->elements == arguments.size(), out);
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    const redisReply& element = *command->element[i];
    FUZZ_REQUIRE(std::string_view(element.str, element.len) == arguments[i], out);
  }
  FUZZ_REQUIRE(redisReaderGetReply(reader.get(), &raw) == REDIS_OK && raw, out);
  const Reply ping{static_cast<redisReply*>(raw), &freeReplyObject};
  FUZZ_REQUIRE(ping->elements == 2, out);
  return 0;
}
