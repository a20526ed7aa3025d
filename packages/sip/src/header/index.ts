// SPDX-License-Identifier: MIT
// The header folder's surface.
export * from './auth.ts'
export * from './contact.ts'
export * from './cseq.ts'
export * from './history-info.ts'
export * from './name-addr.ts'
export * from './name-addr-view.ts'
export * from './param-cursor.ts'
export * from './params.ts'
export * from './privacy.ts'
export * from './request-disposition.ts'
export * from './route.ts'
export * from './via.ts'
