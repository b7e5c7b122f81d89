export const PROVIDERS = ['fcm', 'webpush'] as const;
export type ProviderName = (typeof PROVIDERS)[number];
