// types.ts - the replies and events of streams as the packages of OpenAI and Anthropic declare them
export type { ChatCompletion, ChatCompletionChunk } from "openai/resources/chat/completions/completions";
export type { ResponseReasoningItem, ResponseReasoningTextDeltaEvent, ResponseReasoningTextDoneEvent } from "openai/resources/responses/responses";
export type { Completion } from "openai/resources/completions";
export type { Message, RawMessageStreamEvent } from "@anthropic-ai/sdk/resources/messages/messages";
export type { ErrorResponse } from "@anthropic-ai/sdk/resources/shared";
